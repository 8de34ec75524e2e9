"""From predictions to numbers with intervals, and to the tables of a run's evaluation folder."""
