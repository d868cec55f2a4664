variable "lake_endpoint" {
  description = "S3 and IAM endpoint of bronze, silver and gold"
  type        = string
}

variable "landing_endpoint" {
  description = "S3 and IAM endpoint of inbox and landing"
  type        = string
}

variable "lake_access_key" {
  description = "administrator of the lake store; give it as TF_VAR_lake_access_key"
  type        = string
  sensitive   = true
}

variable "lake_secret_key" {
  description = "its secret; give it as TF_VAR_lake_secret_key"
  type        = string
  sensitive   = true
}

variable "landing_access_key" {
  description = "administrator of the landing store; give it as TF_VAR_landing_access_key"
  type        = string
  sensitive   = true
}

variable "landing_secret_key" {
  description = "its secret; give it as TF_VAR_landing_secret_key"
  type        = string
  sensitive   = true
}

variable "region" {
  description = "name of the region"
  type        = string
}

variable "prefix" {
  description = "put before the names of buckets and users (KHLANG_BUCKET_PREFIX)"
  type        = string
}

variable "facilities" {
  description = "codes of the facilities that deliver by themselves; each gets a user of its own"
  type        = set(string)

  validation {
    condition     = alltrue([for code in var.facilities : can(regex("^[0-9]{5}$", code))])
    error_message = "A facility code has five digits."
  }
}

variable "public_access_block" {
  description = "block public access to every bucket (SeaweedFS does not have it)"
  type        = bool
}

variable "encryption" {
  description = "encrypt every bucket by the server's own key"
  type        = bool
}

variable "landing_lock_days" {
  description = "default object lock of landing; 0: none but the one that the door sets on each zip"
  type        = number
}

variable "abandoned_upload_days" {
  description = "unfinished uploads are removed after so many days; 0: never"
  type        = number
}
