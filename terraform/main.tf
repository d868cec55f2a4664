# Buckets of the zones, and who may do what in them. The rights stand in one declared table that the
# embedded stack uses too: role, store, zone, below which prefix, action.

module "rights" {
  source = "./modules/rights"

  prefix     = var.prefix
  facilities = var.facilities
}

module "lake_bucket" {
  source    = "./modules/bucket"
  for_each  = toset(["bronze", "silver", "gold"])
  providers = { aws = aws.lake }

  name                  = "${var.prefix}${each.key}"
  object_lock           = false # old versions would defeat vacuum and erasure
  lock_days             = 0
  public_access_block   = var.public_access_block
  encryption            = var.encryption
  abandoned_upload_days = var.abandoned_upload_days
}

module "landing_bucket" {
  source    = "./modules/bucket"
  for_each  = { inbox = false, landing = true }
  providers = { aws = aws.landing }

  name                  = "${var.prefix}${each.key}"
  object_lock           = each.value
  lock_days             = each.value ? var.landing_lock_days : 0
  public_access_block   = var.public_access_block
  encryption            = var.encryption
  abandoned_upload_days = var.abandoned_upload_days
}

module "lake_access" {
  source    = "./modules/access"
  for_each  = module.rights.policies.lake
  providers = { aws = aws.lake }

  user   = "${var.prefix}${each.key}"
  policy = each.value

  depends_on = [module.lake_bucket]
}

module "landing_access" {
  source    = "./modules/access"
  for_each  = module.rights.policies.landing
  providers = { aws = aws.landing }

  user   = "${var.prefix}${each.key}"
  policy = each.value

  depends_on = [module.landing_bucket]
}
