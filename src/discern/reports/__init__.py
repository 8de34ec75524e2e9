"""Pages for people: what came of a run and what is wrong with the data, one self-contained HTML file each."""
