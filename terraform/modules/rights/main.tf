# Who may do what, as policies: made from the declared table, without any provider.

variable "prefix" {
  description = "put before the names of buckets"
  type        = string
}

variable "facilities" {
  description = "codes of the facilities that deliver by themselves"
  type        = set(string)
}

locals {
  rights = csvdecode(file("${path.module}/../../../jobs/khlang/catalog/access.csv"))

  # store -> user -> the rows of its role, a facility's with its own code
  people = {
    for store in ["lake", "landing"] : store => merge(
      {
        for role in toset([for r in local.rights : r.role if r.store == store && r.role != "facility"]) :
        role => [for r in local.rights : r if r.store == store && r.role == role]
      },
      {
        for code in var.facilities : "facility-${code}" => [
          for r in local.rights : merge(r, { below = replace(r.below, "{hospcode}", code) })
          if r.store == store && r.role == "facility"
        ] if store == "landing"
      },
    )
  }
}

output "policies" {
  description = "store -> user -> policy"
  value = {
    for store, people in local.people : store => {
      for user, rows in people : user => {
        Version = "2012-10-17"
        Statement = [
          for r in rows : merge(
            {
              Effect   = "Allow"
              Action   = [r.action]
              Resource = ["arn:aws:s3:::${var.prefix}${r.zone}${r.action == "s3:ListBucket" ? "" : "/${r.below}*"}"]
            },
            r.action == "s3:ListBucket" && r.below != "" ? { Condition = { StringLike = { "s3:prefix" = ["${r.below}*"] } } } : {},
          )
        ]
      }
    }
  }
}
