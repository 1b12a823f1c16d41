package authstore

const (
	defaultPage = 100
	maxPage     = 1000
)

// page returns the number of rows that a limit asks for.
func page(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}
