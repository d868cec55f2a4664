# Jobs and the facilities' page: they read the keys, nothing else. Mount and path: as KHLANG_KEY_STORE names them.
path "khlang/data/keys" {
  capabilities = ["read"]
}
