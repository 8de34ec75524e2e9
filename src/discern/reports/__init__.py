"""Pages for people: reports of runs, audits and comparisons, one self-contained HTML file each."""
