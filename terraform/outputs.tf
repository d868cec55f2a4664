output "buckets" {
  description = "zone -> bucket, and whether it is locked"
  value = {
    for zone, bucket in merge(module.lake_bucket, module.landing_bucket) :
    zone => { name = bucket.name, object_lock = bucket.object_lock }
  }
}

output "policies" {
  description = "store -> user -> what the user may do"
  value       = module.rights.policies
}
