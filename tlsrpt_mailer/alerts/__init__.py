"""Who is told what and in which words: plan, route, render, explain. Pure."""
