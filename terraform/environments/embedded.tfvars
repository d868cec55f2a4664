# The embedded stack: two SeaweedFS stores on loopback, ports from the base port 18700.
lake_endpoint         = "http://127.0.0.1:18700"
landing_endpoint      = "http://127.0.0.1:18710"
region                = "us-east-1"
prefix                = ""
facilities            = []
public_access_block   = false # not implemented by SeaweedFS
encryption            = false # needs a key of the server first
landing_lock_days     = 0     # the door sets the lock on each zip
abandoned_upload_days = 0     # SeaweedFS takes a minute to say that it is done
