package authstore

// Refuse makes the database refuse rows of a table for good, as a constraint does; SQLite keeps any value otherwise.
func (s *Store) Refuse(table, condition string) error {
	_, err := s.write.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON ` + table + ` WHEN ` + condition + ` BEGIN SELECT RAISE(ABORT, 'refused'); END`)
	return err
}
