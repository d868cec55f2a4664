"""The leak scanner: planted identifiers against every byte outside landing, told without showing one."""
