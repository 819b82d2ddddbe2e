import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
urlpatterns = [path("", lambda request: HttpResponse("hello\n"))]

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runserver", "0.0.0.0:8000", *sys.argv[1:]])
