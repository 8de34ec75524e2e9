"""Simulates labellings of sets whose labels are known: how many labels an accuracy takes, asked for in what order."""
