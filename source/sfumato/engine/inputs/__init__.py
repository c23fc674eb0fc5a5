"""The picture side of a job: what is opened, resized, masked, filled and put back together before and after the model. Pillow and numpy, no model.

Pictures are Pillow images of mode "RGB", masks of mode "L" (255 = repaint). Functions return new images and change none. Start at `opening`; `repainting`
shows how the others work together.
"""
