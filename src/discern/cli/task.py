"""The command line in a process that the studio starts: it ends with the studio, even if that is killed."""

from discern.cli.app import main
from discern.cli.child import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    main()
