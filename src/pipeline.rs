//! Front end, models and decision joined: the same code in `listen`, `score` and `bench`.
