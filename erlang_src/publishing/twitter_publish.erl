%%% @doc Writing: publish, retract and purge on one's own stream. mod_pubsub publishes and retracts, on
%%% the node that stores the author's posts; here requests are checked and names translated.
-module(twitter_publish).

-include_lib("xmpp/include/xmpp.hrl").

-export([publish/2, retract/2, purge/2, new_id/0]).

%% @doc Publishes a post: XEP-0060, section 7.1.
-spec publish(twitter_view:view(), iq()) -> iq().
publish(#{node := Node, reader := #{service := Service, lang := Lang} = Reader} = View,
        #iq{sub_els = [#pubsub{publish = #ps_publish{items = Items}} = Request]} = IQ) ->
    #{host := Host, server_host := ServerHost} = Service,
    %% Nothing but the options may stand beside it.
    Rest = Request#pubsub{publish = undefined, publish_options = undefined, configure = undefined},
    Rest =:= #pubsub{} andalso twitter_request:has_one_type(Request#pubsub.publish_options)
        orelse twitter_error:refuse(bad_request, Lang),
    Publish = #ps_publish{node = stored(Reader), items = [with_id(Item) || Item <- Items]},
    Answer = writing(View,
                     fun(Author) ->
                             ok = twitter_permit:check_access(Reader),
                             MaxSize = mod_twitter_opt:max_post_size(ServerHost),
                             case twitter_post:check(Items, MaxSize) of
                                 ok -> ok;
                                 {error, Reason} -> twitter_error:refuse(Reason, Lang)
                             end,
                             ok = twitter_permit:take(Reader),
                             twitter_store:ensure_node(Host, Author),
                             Stored = Request#pubsub{publish = Publish},
                             mod_pubsub:process_pubsub(IQ#iq{sub_els = [Stored]})
                     end),
    #iq{sub_els = [#pubsub{publish = Published} = Result]} = Answer,
    Named = Published#ps_publish{node = twitter_path:id(Node)},
    Answer#iq{sub_els = [Result#pubsub{publish = Named}]}.

%% @doc Deletes a post: XEP-0060, section 7.2.
-spec retract(twitter_view:view(), iq()) -> iq().
retract(#{reader := #{lang := Lang} = Reader} = View,
        #iq{sub_els = [#pubsub{retract = #ps_retract{items = Items} = Retract} = Request]} = IQ) ->
    Request#pubsub{retract = undefined} =:= #pubsub{} orelse twitter_error:refuse(bad_request, Lang),
    Stored = #pubsub{retract = Retract#ps_retract{node = stored(Reader)}},
    writing(View,
            fun(_Author) ->
                    case Items of
                        [#ps_item{id = Id}] when Id =/= <<>> -> ok;
                        _ -> twitter_error:refuse(one_item, Lang)
                    end,
                    Answer = mod_pubsub:process_pubsub(IQ#iq{sub_els = [Stored]}),
                    case xmpp:get_error(Answer) of
                        %% The node is left of an account of that name that is gone: it is empty.
                        #stanza_error{reason = forbidden} ->
                            twitter_error:refuse(xmpp:err_item_not_found(), Lang);
                        _ ->
                            Answer
                    end
            end).

%% @doc Deletes all posts: XEP-0060, section 8.5. To the friends' clients it is a retraction of each:
%% a purge of FriendsStream would take everybody's posts away.
-spec purge(twitter_view:view(), iq()) -> iq().
purge(#{reader := #{service := Service, name := Name, from := From, lang := Lang}} = View,
      #iq{sub_els = [#pubsub_owner{} = Request]} = IQ) ->
    #{host := Host} = Service,
    Request#pubsub_owner{purge = undefined} =:= #pubsub_owner{}
        orelse twitter_error:refuse(bad_request, Lang),
    writing(View,
            fun(Author) ->
                    Ids = twitter_index:ids(Service, Name),
                    ok = twitter_store:purge(Host, Author),
                    ok = twitter_index:forget(Host, Name),
                    twitter_fanout:retracted(Service, Name, From, Ids),
                    xmpp:make_iq_result(IQ)
            end).

%% An id of mod_pubsub's is the time in hexadecimal digits without padding, so that two moments may
%% have the same: then a post would overwrite another one.
with_id(#ps_item{id = <<>>} = Item) ->
    Item#ps_item{id = new_id()};
with_id(Item) ->
    Item.

%% @doc An id that no other post has.
-spec new_id() -> binary().
new_id() ->
    binary:encode_hex(crypto:strong_rand_bytes(8)).

%% Only MyStream is written to, and only by users of the vhost. `Write' runs when no other write of
%% this author does; the answer is given when what was written is safe.
writing(#{node := {stream, mine}, reader := Reader}, Write) ->
    #{service := #{host := Host} = Service, name := Name, lang := Lang} = Reader,
    ok = twitter_storage:check(Host),
    Answer = twitter_writer:run(Service, Name, fun() -> Write(twitter_reader:publisher(Reader)) end),
    case Answer of
        #iq{type = result} ->
            case twitter_store:sync(Host) of
                ok -> Answer;
                {error, Error} -> twitter_error:refuse(Error, Lang)
            end;
        #iq{type = error} ->
            twitter_error:refuse(xmpp:get_error(Answer), Lang)
    end;
writing(#{reader := #{lang := Lang}}, _Write) ->
    twitter_error:refuse(read_only, Lang).

stored(#{name := Name}) -> twitter_path:with_key(twitter_path:stored(Name)).
