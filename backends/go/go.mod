module pausemark/go

go 1.26
