# One user and all that this user may do. Access keys are not made here: a secret would stand in the state.

variable "user" {
  description = "name of the user"
  type        = string
}

variable "policy" {
  description = "what the user may do"
  type        = any
}

resource "aws_iam_user" "person" {
  name = var.user
}

resource "aws_iam_user_policy" "person" {
  name   = var.user
  user   = aws_iam_user.person.name
  policy = jsonencode(var.policy)
}
