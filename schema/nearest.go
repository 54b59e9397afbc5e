package schema

import "strings"

// Nearest is the candidate that somebody who wrote word may have meant, or
// empty: one that differs in case, or in a third of its letters at most.
func Nearest(word string, candidates []string) string {
	best, least := "", 1+max(1, min(3, len(word)/3))
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, change or swap with the next
// one (Damerau and Levenshtein, adjacent swaps only).
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	x, y := []rune(a), []rune(b)
	before, last, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(y)]
}
