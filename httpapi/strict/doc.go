// Package strict reads JSON as it is written and not as it might have been meant: repeated members (also by case folding),
// data after the end, nesting deeper than 32, invalid UTF-8 and lone surrogates are refused, where encoding/json takes the
// last duplicate and repairs the rest. Its errors name the fault and the place, never the text.
package strict
