"""A report for people: one offline page, whose every figure can be worked out again."""
