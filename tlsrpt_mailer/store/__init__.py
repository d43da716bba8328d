"""The database: schema, transactions, queries. The only SQL of the program."""
