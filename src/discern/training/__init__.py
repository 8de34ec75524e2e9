"""Trains a classifier by the phases of a plan: data, epochs, stopping, resumable state and listeners."""
