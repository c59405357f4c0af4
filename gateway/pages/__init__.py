"""What people see on the proxy listener, under `/_gateway/`: nothing of it goes to SOE.

A page is a row of `pages.PAGES`, and a template. No page needs a script; each says by its headers
that none may run.
"""
