"""The comparison of methods: equal budgets, selection on people of their own, controls, and what the numbers allow."""
