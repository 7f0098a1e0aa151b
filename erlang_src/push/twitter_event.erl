%%% @doc The messages that bring posts: XEP-0060 events, sent where the receiver will find the post. Each
%%% is made once, for all its receivers.
-module(twitter_event).

-include_lib("xmpp/include/xmpp.hrl").

-export([to_friends/4, to_author/3, element/1]).
-export_type([what/0]).

-type what() :: {item, Id :: binary(), Payload :: [xmlel()]} | {retract, Ids :: [binary()]}.

%% The ids that one message retracts have together so many bytes: servers limit stanzas.
-define(MAX_IDS_BYTES, 16384).

%% @doc The events as the author's friends get them. With `Body', a post also comes as plain text, for
%% clients that know no pubsub.
-spec to_friends(Host :: binary(), Author :: twitter_nif:jid(), what(), Body :: boolean()) ->
          [message()].
to_friends(Host, Author, {item, _, Payload} = What, true) ->
    Text = <<Author/binary, ": ", (twitter_post:text(Payload))/binary>>,
    [Message#message{body = [#text{data = Text}]}
     || Message <- messages(Host, {stream, friends}, Author, What)];
to_friends(Host, Author, What, _Body) ->
    messages(Host, {stream, friends}, Author, What).

%% @doc The same events as the author's own resources get them.
-spec to_author(Host :: binary(), Author :: twitter_nif:jid(), what()) -> [message()].
to_author(Host, Author, What) ->
    messages(Host, {stream, mine}, Author, What).

messages(Host, Node, Author, {item, Id, Payload}) ->
    Item = #xmlel{name = <<"item">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Author}],
                  children = twitter_post:unwrap(Payload)},
    [message(Host, Node, [Item])];
messages(Host, Node, Author, {retract, Ids}) ->
    [message(Host, Node, [retract(Author, Id) || Id <- Batch])
     || Batch <- twitter_nif:batches(Ids, ?MAX_IDS_BYTES)].

%% Two friends may have used the same id, so a retraction names its publisher too.
retract(Author, Id) ->
    #xmlel{name = <<"retract">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Author}]}.

message(Host, Node, Entries) ->
    Items = #xmlel{name = <<"items">>, attrs = [{<<"node">>, twitter_path:id(Node)}],
                   children = Entries},
    Event = #xmlel{name = <<"event">>, attrs = [{<<"xmlns">>, ?NS_PUBSUB_EVENT}],
                   children = [Items]},
    #message{type = headline, from = jid:make(Host), sub_els = [Event]}.

%% @doc The element that the message will be, but for its address.
-spec element(message()) -> xmlel().
element(#message{from = #jid{lserver = Host}, sub_els = Els, body = Body}) ->
    Texts = [#xmlel{name = <<"body">>, children = [{xmlcdata, Text}]} || #text{data = Text} <- Body],
    #xmlel{name = <<"message">>, attrs = [{<<"from">>, Host}, {<<"type">>, <<"headline">>}],
           children = Els ++ Texts}.
