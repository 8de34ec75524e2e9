"""The campaign: kills, full disks, damaged files and hostile clients, counted, each round with a seed of its own."""
