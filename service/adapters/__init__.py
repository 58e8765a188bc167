"""Everything that touches the world; each module translates the errors of its library at its own edge."""
