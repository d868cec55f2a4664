# One bucket of one zone.

resource "aws_s3_bucket" "zone" {
  bucket              = var.name
  object_lock_enabled = var.object_lock # brings versions with it, which no one can switch off
}

resource "aws_s3_bucket_object_lock_configuration" "zone" {
  count  = var.object_lock && var.lock_days > 0 ? 1 : 0
  bucket = aws_s3_bucket.zone.id

  rule {
    default_retention {
      mode = "COMPLIANCE" # holds against the administrator too
      days = var.lock_days
    }
  }
}

resource "aws_s3_bucket_public_access_block" "zone" {
  count                   = var.public_access_block ? 1 : 0
  bucket                  = aws_s3_bucket.zone.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "zone" {
  count  = var.encryption ? 1 : 0
  bucket = aws_s3_bucket.zone.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "zone" {
  count  = var.abandoned_upload_days > 0 ? 1 : 0
  bucket = aws_s3_bucket.zone.id

  rule {
    id     = "abandoned-uploads"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = var.abandoned_upload_days
    }
  }
}

output "name" {
  description = "name of the bucket"
  value       = aws_s3_bucket.zone.bucket
}

output "object_lock" {
  description = "whether its objects are locked"
  value       = aws_s3_bucket.zone.object_lock_enabled
}
