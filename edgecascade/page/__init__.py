"""Pages for people: markup that escapes, and charts that live in a page. The only room that draws."""
