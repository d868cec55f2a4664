# Two stores: the lake, and landing apart from it with credentials of its own.

provider "aws" {
  alias      = "lake"
  region     = var.region
  access_key = var.lake_access_key
  secret_key = var.lake_secret_key

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    s3  = var.lake_endpoint
    iam = var.lake_endpoint
    sts = var.lake_endpoint
  }
}

provider "aws" {
  alias      = "landing"
  region     = var.region
  access_key = var.landing_access_key
  secret_key = var.landing_secret_key

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    s3  = var.landing_endpoint
    iam = var.landing_endpoint
    sts = var.landing_endpoint
  }
}
