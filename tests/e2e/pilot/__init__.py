"""The pilot's truth, read and compared with the lake; used by the end-to-end suite."""
