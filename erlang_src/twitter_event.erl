%%% @doc The messages that bring posts: XEP-0060 events, sent where the receiver will find the post.
-module(twitter_event).

-include_lib("xmpp/include/xmpp.hrl").

-export([to_friends/4, to_author/3]).
-export_type([what/0]).

-type what() :: {item, Id :: binary(), Payload :: [xmlel()]} | {retract, Ids :: [binary()]}.

%% @doc The event as the author's friends get it. With `Body', a post also comes as plain text, for
%% clients that know no pubsub.
-spec to_friends(Host :: binary(), Author :: twitter_nif:jid(), what(), Body :: boolean()) ->
          message().
to_friends(Host, Author, What, Body) ->
    Event = message(Host, {stream, friends}, Author, What),
    case {Body, What} of
        {true, {item, _, Payload}} ->
            Text = <<Author/binary, ": ", (twitter_post:text(Payload))/binary>>,
            Event#message{body = [#text{data = Text}]};
        _ ->
            Event
    end.

%% @doc The same event as the author's own resources get it.
-spec to_author(Host :: binary(), Author :: twitter_nif:jid(), what()) -> message().
to_author(Host, Author, What) ->
    message(Host, {stream, mine}, Author, What).

message(Host, Node, Author, What) ->
    Items = #xmlel{name = <<"items">>, attrs = [{<<"node">>, twitter_path:id(Node)}],
                   children = entries(Author, What)},
    Event = #xmlel{name = <<"event">>, attrs = [{<<"xmlns">>, ?NS_PUBSUB_EVENT}],
                   children = [Items]},
    #message{type = headline, from = jid:make(Host), sub_els = [Event]}.

entries(Author, {item, Id, Payload}) ->
    [#xmlel{name = <<"item">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Author}],
            children = twitter_post:unwrap(Payload)}];
%% Two friends may have used the same id, so a retraction names its publisher too.
entries(Author, {retract, Ids}) ->
    [#xmlel{name = <<"retract">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Author}]} || Id <- Ids].
