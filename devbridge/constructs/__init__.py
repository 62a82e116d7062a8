"""What an app is made of: App, Job, Function, Api, Table."""
