module pausemark/tests/gcload

go 1.24
