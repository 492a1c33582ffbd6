# Unit tests of this part of the tree: each program is added to check_PROGRAMS.
