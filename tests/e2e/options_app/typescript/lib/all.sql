select * from everything
