module example.test/course

go 1.26
