"""Planning: configuration, source, selection and host facts to one Plan, without effects."""
