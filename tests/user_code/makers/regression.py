"""Write a regression that learned y = 2 x, as joblib saves it."""

import io
import sys

import joblib
from sklearn.linear_model import LinearRegression

file = io.BytesIO()
joblib.dump(LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0]), file)
sys.stdout.buffer.write(file.getvalue())
