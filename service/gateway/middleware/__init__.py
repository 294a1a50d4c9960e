"""What happens to every request before and after its route: ids, limits, keys, headers, counts."""
