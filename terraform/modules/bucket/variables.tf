variable "name" {
  description = "name of the bucket"
  type        = string
}

variable "object_lock" {
  description = "versions and object lock: an object can not be changed or removed before its time"
  type        = bool
}

variable "lock_days" {
  description = "default lock of a new object; 0: none"
  type        = number
}

variable "public_access_block" {
  description = "block public access"
  type        = bool
}

variable "encryption" {
  description = "encrypt by the server's own key"
  type        = bool
}

variable "abandoned_upload_days" {
  description = "unfinished uploads are removed after so many days; 0: never"
  type        = number
}
