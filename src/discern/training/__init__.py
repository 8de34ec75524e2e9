"""From a plan of phases to a trained classifier: steps, optimizers, schedules, stopping, state and listeners."""
