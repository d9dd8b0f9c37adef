"""Networks, losses, the training loop and its worker: the only room that imports tensorflow or keras.

Nobody imports this room; a run reaches it by module name in a child process.
"""
