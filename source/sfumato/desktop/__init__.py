"""The window: Qt objects that QML binds to. The only room that knows Qt; torch never enters this process. Start reading at studio.py."""
