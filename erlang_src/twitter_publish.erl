%%% @doc Writing: publish, retract and purge on one's own stream. mod_pubsub does it, on the node
%%% that stores the author's posts; here requests are checked and names translated.
-module(twitter_publish).

-include_lib("xmpp/include/xmpp.hrl").

-export([publish/2, retract/2, purge/2]).

%% @doc Publishes a post: XEP-0060, section 7.1.
-spec publish(twitter_view:view(), iq()) -> iq().
publish(#{node := Node, reader := Reader} = View,
        #iq{sub_els = [#pubsub{publish = Publish} = Request]} = IQ) ->
    #{host := Host, server_host := ServerHost, lang := Lang} = Reader,
    #ps_publish{items = Items} = Publish,
    Author = author(View),
    case twitter_post:check(Items, mod_twitter_opt:max_post_size(ServerHost)) of
        ok -> twitter_store:ensure_node(Host, Author);
        {error, Reason} -> twitter_error:refuse(Reason, Lang)
    end,
    Stored = Request#pubsub{publish = #ps_publish{node = stored(Reader),
                                                  items = [with_id(Item) || Item <- Items]}},
    #iq{sub_els = [#pubsub{publish = Published} = Result]} = Answer =
        write(fun mod_pubsub:process_pubsub/1, IQ#iq{sub_els = [Stored]}),
    Named = Published#ps_publish{node = twitter_path:id(Node)},
    Answer#iq{sub_els = [Result#pubsub{publish = Named}]}.

%% @doc Deletes a post: XEP-0060, section 7.2.
-spec retract(twitter_view:view(), iq()) -> iq().
retract(#{reader := Reader} = View, #iq{sub_els = [#pubsub{retract = Retract} = Request]} = IQ) ->
    _ = author(View),
    Stored = Request#pubsub{retract = Retract#ps_retract{node = stored(Reader)}},
    write(fun mod_pubsub:process_pubsub/1, IQ#iq{sub_els = [Stored]}).

%% @doc Deletes all posts: XEP-0060, section 8.5. To the friends' clients it is a retraction of each:
%% a purge of FriendsStream would take everybody's posts away.
-spec purge(twitter_view:view(), iq()) -> iq().
purge(#{reader := #{host := Host, name := Name, from := From} = Reader} = View,
      #iq{sub_els = [#pubsub_owner{} = Request]} = IQ) ->
    twitter_store:ensure_node(Host, author(View)),
    Ids = twitter_index:ids(Host, Name),
    Stored = Request#pubsub_owner{purge = stored(Reader)},
    Answer = write(fun mod_pubsub:process_pubsub_owner/1, IQ#iq{sub_els = [Stored]}),
    twitter_index:forget(Host, Name),
    twitter_fanout:retracted(Host, Name, From, Ids),
    Answer.

%% An id of mod_pubsub's is the time in hexadecimal digits without padding, so that two moments may
%% have the same: then a post would overwrite another one.
with_id(#ps_item{id = <<>>} = Item) ->
    Item#ps_item{id = binary:encode_hex(crypto:strong_rand_bytes(8))};
with_id(Item) ->
    Item.

%% Only MyStream is written to, and only by users of the vhost.
author(#{node := {stream, mine}, reader := Reader}) -> twitter_reader:publisher(Reader);
author(#{reader := #{lang := Lang}}) -> twitter_error:refuse(read_only, Lang).

write(Process, IQ) ->
    case Process(IQ) of
        #iq{type = result} = Answer ->
            ok = twitter_store:sync(),
            Answer;
        #iq{type = error} = Answer ->
            throw({refused, xmpp:get_error(Answer)})
    end.

stored(#{name := Name}) -> twitter_path:stored(Name).
