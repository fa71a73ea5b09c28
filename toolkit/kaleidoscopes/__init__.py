"""Kaleidoscopic networks: their presets, trained networks on disk, the study of their runs. Import its modules."""
