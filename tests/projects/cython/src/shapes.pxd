ctypedef double Number
