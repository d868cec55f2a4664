terraform {
  required_version = ">= 1.11"

  backend "local" {} # the state has no secrets but says who may do what: keep it where few can read it

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # 6.23 and later do not work with other S3 servers
    }
  }
}
