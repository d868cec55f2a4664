"""The demo: invented months delivered, the scheduler watched, the result shown."""
