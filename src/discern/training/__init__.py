"""From a plan of stages to a trained classifier: steps, optimizers, schedules, stopping, state and listeners."""
