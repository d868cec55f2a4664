# Who makes, rotates and retires keys. Destroying earlier versions belongs to it: a retired key must stand in none.
path "khlang/data/keys" {
  capabilities = ["create", "read", "update"]
}
path "khlang/destroy/keys" {
  capabilities = ["update"]
}
